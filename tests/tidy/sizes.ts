/** How long a file and a function may be, and how many positional parameters a function may have. */
import type { Node } from 'oxc-parser';
import type { Finding, Rule, SourceFile } from './source.ts';
import { findNodes, isCode, isTest, lineAt, ruleForEach } from './source.ts';

const mostLinesOfFile = { source: 400, test: 600 };
const mostLinesOfFunction = 60;
const mostParameters = 3;

const isCounted = (path: string): boolean =>
  isCode(path) && /^(?:src|tests|bench|scripts|sdk|console)\//.test(path);

export const fileSize: Rule = ruleForEach('file-size', isCounted, ({ path, text }) => {
  const most = isTest(path) ? mostLinesOfFile.test : mostLinesOfFile.source;
  const lines = text.replace(/\n$/, '').split('\n').length;
  return lines > most ? [{ path, line: most + 1, message: `${lines} lines: at most ${most}` }] : [];
});

/** The functions that only group tests: their length says nothing. */
const groupsTests = new Set(['describe', 'suite']);

function isTestGroup(parent: Node | undefined): boolean {
  return (
    parent?.type === 'CallExpression' &&
    parent.callee.type === 'Identifier' &&
    groupsTests.has(parent.callee.name)
  );
}

function checkLength(file: SourceFile): readonly Finding[] {
  return findNodes(file, (node, parents) => {
    if (!('body' in node) || !('params' in node) || node.body === null) return undefined;
    if (isTest(file.path) && isTestGroup(parents.at(-1))) return undefined;
    const lines = lineAt(file.text, node.end) - lineAt(file.text, node.start) + 1;
    return lines > mostLinesOfFunction
      ? `a function of ${lines} lines: at most ${mostLinesOfFunction}`
      : undefined;
  });
}

export const functionSize: Rule = ruleForEach('function-size', isCounted, checkLength);

/** The parameters of a function, a method or their types; undefined for everything else. */
function parametersOf(node: Node): readonly Node[] | undefined {
  switch (node.type) {
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
    case 'TSDeclareFunction':
    case 'TSEmptyBodyFunctionExpression':
    case 'TSFunctionType':
    case 'TSConstructorType':
    case 'TSMethodSignature':
    case 'TSCallSignatureDeclaration':
    case 'TSConstructSignatureDeclaration':
      return node.params;
    default:
      return undefined;
  }
}

export const parameterCount: Rule = ruleForEach('parameter-count', isCounted, (file) =>
  findNodes(file, (node) => {
    const named = parametersOf(node)?.filter((each) => !(each.type === 'Identifier' && each.name === 'this'));
    return named !== undefined && named.length > mostParameters
      ? `${named.length} parameters: at most ${mostParameters}, then an options object`
      : undefined;
  }),
);
