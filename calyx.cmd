@echo off
rem The command line, from a checkout on Windows: as ./calyx elsewhere.
node "%~dp0scripts\run.mjs" "%~dp0src\bin\calyx.ts" %*
exit /b %errorlevel%
