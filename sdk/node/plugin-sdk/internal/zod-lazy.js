// zod, loaded by the first schema that is built.
import { createRequire } from 'node:module';

let loaded;
/** The `z` of the vendored zod. */
export function zod() {
  loaded ??= createRequire(import.meta.url)('../../vendor/zod.js').z;
  return loaded;
}
