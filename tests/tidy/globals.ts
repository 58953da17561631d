/**
 * Where the world outside may be named: the clock, the network, the process, chance and the terminal
 * come in through `platform`, so that every rule can be tried at any time and in any order.
 */
import type { Node } from 'oxc-parser';
import { importsOf } from './imports.ts';
import type { Rule, SourceFile } from './source.ts';
import { findingAt, findNodes, isCode, isTest, ruleForEach } from './source.ts';

interface Ban {
  readonly names: readonly string[];
  /** Where they may stand; tests, benchmarks and scripts are never asked. */
  readonly except: RegExp;
}

const outside = /^src\/(?:platform|cli|bin)\//;
/** The engine gathers writes until the turn is over, and waits for a busy disk. */
const outsideOrEngine = /^src\/(?:platform|cli|bin)\/|^src\/store\/sqlite[a-z-]*\.ts$/;
const terminal = /^src\/(?:cli|bin)\//;

const bans: readonly Ban[] = [
  { names: ['Date', 'performance', 'fetch', 'process', 'globalThis', 'Math.random'], except: outside },
  { names: ['setTimeout', 'setImmediate'], except: outsideOrEngine },
  { names: ['setInterval'], except: outside },
  { names: ['console'], except: terminal },
  // The same things by another door.
  { names: ['node:process', 'node:perf_hooks'], except: outside },
  { names: ['node:timers', 'node:timers/promises'], except: outsideOrEngine },
  { names: ['node:console'], except: terminal },
];

/** Whether an identifier is only the name of a property or of a member, and refers to nothing. */
function isPropertyName(node: Node, parent: Node | undefined): boolean {
  switch (parent?.type) {
    case 'MemberExpression':
      return parent.property === node && !parent.computed;
    case 'Property':
      return parent.key === node && !parent.computed && !parent.shorthand;
    case 'MethodDefinition':
    case 'PropertyDefinition':
    case 'TSPropertySignature':
    case 'TSMethodSignature':
      return parent.key === node && !parent.computed;
    case 'TSQualifiedName':
      return parent.right === node;
    default:
      return false;
  }
}

/** The banned name that a node stands for, if any. */
function nameOf(node: Node, parents: readonly Node[]): string | undefined {
  if (node.type === 'Identifier') return isPropertyName(node, parents.at(-1)) ? undefined : node.name;
  if (node.type !== 'MemberExpression' || node.object.type !== 'Identifier') return undefined;
  if (node.property.type === 'Identifier') return `${node.object.name}.${node.property.name}`;
  return undefined;
}

function checkFile(file: SourceFile) {
  const banned = new Set(bans.flatMap(({ names, except }) => (except.test(file.path) ? [] : names)));
  const named = findNodes(file, (node, parents) => {
    const name = nameOf(node, parents);
    return name !== undefined && banned.has(name) ? `${name} is not to be named here` : undefined;
  });
  const imported = importsOf(file)
    .filter(({ specifier }) => banned.has(specifier))
    .map(({ specifier, offset }) => findingAt(file, offset, `${specifier} is not to be imported here`));
  return [...named, ...imported];
}

export const bannedGlobals: Rule = ruleForEach(
  'banned-globals',
  (path) => isCode(path) && path.startsWith('src/') && !isTest(path),
  checkFile,
);

const notInCore = new Set(['Buffer', 'crypto', 'Promise', 'queueMicrotask', 'Intl', 'WebAssembly']);

/** The law is arithmetic on values: nothing that waits, nothing with a life of its own. */
export const pureCore: Rule = ruleForEach(
  'pure-core',
  (path) => path.startsWith('src/core/') && isCode(path) && !isTest(path),
  (file) =>
    findNodes(file, (node, parents) => {
      if (node.type === 'ClassDeclaration' || node.type === 'ClassExpression') return 'core has no classes';
      if (node.type === 'AwaitExpression' || ('async' in node && node.async)) return 'core never waits';
      const name = nameOf(node, parents);
      return name !== undefined && notInCore.has(name) ? `core does not know ${name}` : undefined;
    }),
);
