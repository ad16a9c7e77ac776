// The functions that the differential test asks, in one order: a row for each subpath and name.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Rows by topic: `[subpath, names, inputs, what of the result counts, how often to ask, how to call an export that is no function]`. */
const topics = fileURLToPath(new URL('differential', import.meta.url));
const rows = [];
for (const file of fs.readdirSync(topics).sort()) if (!['kit.mjs', 'by-release.mjs'].includes(file)) rows.push(...(await import(pathToFileURL(path.join(topics, file)))).default);

export const FUNCTIONS = rows.flatMap(([subpath, names, inputs, view = (value) => value, times = 300, callOf = (value) => value]) =>
  names.map((name) => ({ subpath, name, inputs, view, times, callOf })));
