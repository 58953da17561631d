/**
 * Who may import whom. The table is the architecture: a folder without a row is a finding, so that
 * a new one gets its place on purpose.
 */
import { posix } from 'node:path';
import type { StringLiteral } from 'oxc-parser';
import type { Finding, Rule, SourceFile } from './source.ts';
import { findingAt, isCode, parse, ruleForEach, walk } from './source.ts';

interface Row {
  readonly layer: string;
  readonly files: RegExp;
  /**
   * Layers of this table, `node:…` for modules of Node and `npm:…` for packages (a trailing `*`
   * stands for anything). The layer itself is always among them.
   */
  readonly may: string;
  /** What may be imported with `import type` only. */
  readonly types?: string;
}

/**
 * The rows of one of the two programs. They are alike, and neither names the other. `app.ts`, `context.ts`
 * and `service.ts` put a program together; what else stands beside them is shared by the use cases and
 * bound like them.
 */
function programRows(program: string): readonly Row[] {
  const rules = `core protocol store-port store-rows ${program}-parts`;
  return [
    {
      layer: `${program}-usecases`,
      files: new RegExp(`^src/${program}/usecases/`),
      may: rules,
      types: `platform backup ${program}`,
    },
    {
      layer: `${program}-routes`,
      files: new RegExp(`^src/${program}/routes/`),
      may: `${program}-usecases core protocol platform npm:typebox`,
      types: `${program} npm:fastify npm:@fastify/type-provider-typebox`,
    },
    {
      layer: program,
      files: new RegExp(`^src/${program}/(?:app|context|service)(?:-[a-z-]+)?\\.ts$`),
      may: `${rules} ${program}-routes ${program}-usecases platform store backup node:fs node:path npm:fastify`,
      types: 'npm:pino',
    },
    {
      layer: `${program}-parts`,
      files: new RegExp(`^src/${program}/`),
      may: rules,
      types: `platform ${program}`,
    },
  ];
}

/** The first row whose `files` match decides what a file is. */
const table: readonly Row[] = [
  { layer: 'core', files: /^src\/core\//, may: '' },
  { layer: 'protocol', files: /^src\/protocol\//, may: 'core node:crypto npm:typebox' },
  { layer: 'store-port', files: /^src\/store\/port\.ts$/, may: 'core' },
  // Idempotency and rehearsals over the port: as plain as the rows, and as near to the use cases.
  { layer: 'store-rows', files: /^src\/store\/(?:once|rehearse)\.ts$/, may: 'core store-port' },
  { layer: 'store-rows', files: /^src\/store\/(?!sqlite)[a-z-]+-rows\.ts$/, may: 'core store-port' },
  {
    layer: 'store',
    files: /^src\/store\//,
    may: 'core store-port store-rows node:crypto node:fs node:path node:sqlite node:timers node:url node:zlib',
  },
  {
    layer: 'platform',
    files: /^src\/platform\//,
    may: 'core protocol node:* npm:*',
    types: 'store-port',
  },
  {
    // What both programs do alike with a whole database; neither is named, and no use case needs it.
    layer: 'backup',
    files: /^src\/backup\//,
    may: 'core protocol store* platform node:* npm:typebox npm:age-encryption',
  },
  ...programRows('clearinghouse'),
  ...programRows('server'),
  { layer: 'audit', files: /^src\/audit\//, may: 'core protocol' },
  {
    // The command line speaks HTTP, except where it runs a program within its own process.
    layer: 'cli-in-process',
    files: /^src\/cli\/(?:connect-[a-z-]+|up(?:-[a-z-]+)?|(?:[a-z-]+-)?init(?:-[a-z-]+)?)\.ts$/,
    may: 'cli core protocol platform backup clearinghouse server store* node:* npm:*',
  },
  {
    layer: 'cli',
    files: /^src\/cli\//,
    may: 'cli-in-process core protocol platform audit backup node:* npm:*',
  },
  { layer: 'oldest-node', files: /^src\/bin\/node-version\.mjs$/, may: '' },
  { layer: 'bin', files: /^src\/bin\//, may: 'oldest-node cli* node:process' },
  { layer: 'scripts', files: /^scripts\//, may: 'oldest-node node:*' },
  {
    layer: 'tests',
    files: /^tests\//,
    may: 'core protocol store* platform backup clearinghouse* server* audit cli* oldest-node scripts node:* npm:*',
  },
  {
    layer: 'bench',
    files: /^bench\//,
    may: 'core protocol store* platform backup clearinghouse* server* audit cli* node:* npm:*',
  },
];

/** What a unit test beside its subject may import more than the subject. */
const unitTestMay = 'core protocol store* platform node:* npm:*';

interface Import {
  readonly specifier: string;
  readonly offset: number;
  readonly typesOnly: boolean;
}

/** Every way in which a file names another module. */
export function importsOf(file: SourceFile): readonly Import[] {
  const imports: Import[] = [];
  const add = (source: StringLiteral, typesOnly: boolean): void => {
    imports.push({ specifier: source.value, offset: source.start, typesOnly });
  };
  walk(parse(file).program, (node) => {
    if (node.type === 'ImportDeclaration') add(node.source, node.importKind === 'type');
    if (node.type === 'ExportAllDeclaration') add(node.source, node.exportKind === 'type');
    if (node.type === 'ExportNamedDeclaration' && node.source !== null) {
      add(node.source, node.exportKind === 'type');
    }
    if (node.type === 'TSImportType') add(node.source, true);
    if (node.type === 'TSExternalModuleReference') add(node.expression, false);
    if (node.type === 'ImportExpression') {
      const { source } = node;
      if (source.type === 'Literal' && typeof source.value === 'string') add(source, false);
      else imports.push({ specifier: '(computed)', offset: source.start, typesOnly: false });
    }
  });
  return imports;
}

const rowOf = (path: string): Row | undefined => table.find(({ files }) => files.test(path));

/** The name in the table of what an import leads to. */
function targetOf(file: SourceFile, specifier: string): string {
  if (specifier.startsWith('.')) {
    const path = posix.join(posix.dirname(file.path), specifier);
    return rowOf(path)?.layer ?? path;
  }
  if (specifier.startsWith('node:')) return specifier;
  const parts = specifier.split('/');
  return `npm:${parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')}`;
}

function covers(allowed: string, target: string): boolean {
  return allowed
    .split(' ')
    .some((name) => name === target || (name.endsWith('*') && target.startsWith(name.slice(0, -1))));
}

function checkFile(file: SourceFile): readonly Finding[] {
  const row = rowOf(file.path);
  if (row === undefined) {
    return [{ path: file.path, line: 1, message: 'no row of the import table is about this folder' }];
  }
  const unitTest = file.path.startsWith('src/') && file.path.endsWith('.test.ts');
  const may = `${row.layer} ${row.may} ${unitTest ? unitTestMay : ''}`;
  return importsOf(file).flatMap(({ specifier, offset, typesOnly }) => {
    const target = targetOf(file, specifier);
    if (covers(may, target)) return [];
    const typesMay = covers(row.types ?? '', target);
    if (typesMay && (typesOnly || unitTest)) return [];
    const how = typesMay ? 'only types of ' : '';
    return [findingAt(file, offset, `${row.layer} may import ${how || 'nothing of '}${target}`)];
  });
}

export const importDirection: Rule = ruleForEach(
  'import-direction',
  (path) => isCode(path) && /^(?:src|tests|bench|scripts)\//.test(path),
  checkFile,
);

/** Node runs the sources as they are: a relative import names a file, with its ending. */
export const importEndings: Rule = ruleForEach('import-endings', isCode, (file) =>
  importsOf(file)
    .filter(({ specifier }) => specifier.startsWith('.') && !/\.(?:ts|tsx|mjs)$/.test(specifier))
    .map(({ offset }) => findingAt(file, offset, 'a relative import ends in .ts')),
);
