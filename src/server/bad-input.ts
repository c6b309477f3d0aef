import { type ArgumentNode, type ASTNode, type DocumentNode, GraphQLError, Kind, visit } from 'graphql';
import { toGraphQLError } from '../delivery/format-error.ts';

/**
 * Names the argument in an error of a value that a client gave: GraphQL's own error points at a place in the document
 * or at a variable, and a client's form wants to know which field to mark.
 */
export function nameArgument(error: GraphQLError, document: DocumentNode): GraphQLError {
  const formatted = toGraphQLError(error);
  if (formatted.extensions['code'] !== 'BAD_USER_INPUT' || formatted.extensions['argument'] !== undefined)
    return formatted;
  const node = formatted.nodes?.[0];
  const argument = node === undefined ? null : findArgument(document, node);
  if (argument === null) return formatted;
  const { nodes, source, positions, path, extensions, message } = formatted;
  return new GraphQLError(`Argument "${argument}": ${message}`, {
    nodes: nodes ?? null,
    source: source ?? null,
    positions: positions ?? null,
    path: path ?? null,
    extensions: { ...extensions, argument },
  });
}

/** The argument that holds the node, or that takes the variable which the node defines. */
function findArgument(document: DocumentNode, node: ASTNode): string | null {
  const variable = node.kind === Kind.VARIABLE_DEFINITION ? node.variable.name.value : null;
  let found: string | null = null;
  visit(document, {
    Argument(argument) {
      if (found === null && (variable === null ? encloses(argument, node) : uses(argument, variable)))
        found = argument.name.value;
    },
  });
  return found;
}

function encloses(argument: ArgumentNode, node: ASTNode): boolean {
  const outer = argument.loc;
  const inner = node.loc;
  return outer !== undefined && inner !== undefined && outer.start <= inner.start && inner.end <= outer.end;
}

function uses(argument: ArgumentNode, variable: string): boolean {
  let found = false;
  visit(argument, {
    Variable(node) {
      if (node.name.value === variable) found = true;
    },
  });
  return found;
}
