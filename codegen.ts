import type { CodegenConfig } from '@graphql-codegen/cli';

/** Of the client, and of the example that is generated in the same way. */
const TYPED_DOCUMENTS = {
  preset: 'client',
  presetConfig: {
    // Masking hides a fragment's fields from all but the component that declares it. Quotes and prints here pass through
    // stores, folds and a terminal before any component sees them: each would have to unmask what it got. A fragment
    // of ours names a shape that several operations share.
    fragmentMasking: false,
    // What is imported is imported from the file that holds it: gql.ts (the tag) or graphql.ts (the types).
    skipIndexFile: true,
  },
  config: {
    // Strings as on the wire. An unknown scalar is an error of the generation, not an `any` in the client.
    scalars: { Cursor: 'string', DateTime: 'string', Decimal: 'string', Symbol: 'string' },
    strictScalars: true,
    // Unions of string literals: a TypeScript enum is code, and type stripping leaves no room for it.
    enumType: 'string-literal',
    useTypeImports: true,
    // A list is asked with a list, not with its only item.
    arrayInputCoercion: false,
    // urql takes parsed documents; the string mode's class is made with parameter properties, which are code as well.
    documentMode: 'documentNode',
  },
} as const;

/**
 * Types and documents of the client, from the committed schema alone: the client knows the server by nothing else.
 * `npm run codegen` first prints schema.graphql anew from src/schema/schema.ts.
 */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  // Node runs the generated files as they are (type stripping), so an import names the file with its ending.
  importExtension: '.ts',
  generates: {
    'client/src/gql/': {
      ...TYPED_DOCUMENTS,
      documents: ['client/**/*.{ts,tsx}', '!client/src/gql/**', '!client/**/*.test.{ts,tsx}'],
    },
    'examples/graphql-ws/gql/': { ...TYPED_DOCUMENTS, documents: ['examples/graphql-ws/*.ts'] },
  },
};

export default config;
