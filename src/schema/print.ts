import { writeFile } from 'node:fs/promises';
import { printSdl } from './schema.ts';

// The first step of `npm run codegen`: schema.graphql as the code has it now. Nothing is opened or connected for it.
await writeFile(new URL('../../schema.graphql', import.meta.url), printSdl());
