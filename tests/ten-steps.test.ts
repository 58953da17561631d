/** The source document's ten steps with the real program, each time from the first to the last. */
import './ten-steps/by-telephone.ts';
import './ten-steps/by-connection.ts';
import './ten-steps/by-files.ts';
import './ten-steps/exit-codes.ts';
