/**
 * Lint rules that keep tests independent of the machine's speed: a test waits for an event, with one generous deadline for all, and
 * asserts nothing about how long something took. Loaded by .oxlintrc.json; the interface is that of an ESLint plugin.
 */

type Node = { readonly type: string; readonly [key: string]: unknown };
type Context = { report(problem: { node: Node; message: string }): void };
type Visitor = Record<string, (node: never) => void>;
type Identifier = Node & { readonly name: string };
type Member = Node & { readonly object: Node; readonly property: Node; readonly computed: boolean };
type Call = Node & { readonly callee: Node; readonly arguments: readonly Node[] };
type Import = Node & { readonly source: { readonly value: string } };

/** Whether `node` is written as `object.property`. */
function isMember(node: Node, object: string, properties: readonly string[]): boolean {
  if (node.type !== 'MemberExpression') return false;
  const { object: left, property, computed } = node as Member;
  return !computed && nameOf(left) === object && properties.includes(nameOf(property) ?? '');
}

function nameOf(node: Node): string | null {
  return node.type === 'Identifier' ? (node as Identifier).name : null;
}

function rule(create: (report: (node: Node, message: string) => void) => Visitor) {
  return { create: (context: Context): Visitor => create((node, message) => context.report({ node, message })) };
}

const oneDeadline = rule((report) => ({
  CallExpression(node: Call) {
    if (isMember(node.callee, 'vi', ['waitFor', 'waitUntil'])) {
      report(node, 'Wait with until(…), which has the deadline that all tests share; vi.waitFor has one of its own.');
    }
    if (isMember(node.callee, 'expect', ['poll']) && node.arguments.length > 1) {
      report(node, 'Leave the options out: test/deadline.ts has the deadline that all tests share.');
    }
  },
}));

const noElapsedTime = rule((report) => {
  const check = (node: Node): void => {
    if (isMember(node, 'performance', ['now']) || isMember(node, 'process', ['hrtime'])) {
      report(node, 'A test measures no time: a slow machine would fail it. Inject a clock, or measure in bench/.');
    }
  };
  return { MemberExpression: check };
});

const noSleep = rule((report) => {
  const message =
    'A test waits for an event, not for time to pass: use until(…), or timers that the test moves by hand.';
  return {
    CallExpression(node: Call) {
      if (nameOf(node.callee) === 'setTimeout') report(node, message);
    },
    ImportDeclaration(node: Import) {
      if (/^(node:)?timers\/promises$/.test(node.source.value)) report(node, message);
    },
  };
});

const plugin = {
  meta: { name: 'waiting' },
  rules: { 'one-deadline': oneDeadline, 'no-elapsed-time': noElapsedTime, 'no-sleep': noSleep },
};

export default plugin;
