// What the tests of the subpaths share: the names of the reference, and our modules as a plugin's worker loads them.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { FakeHost } from './fake-host.mjs';

const read = (file) => JSON.parse(fs.readFileSync(new URL(file, import.meta.url), 'utf8'));

/** Names by subpath, of each release whose plugins run here. `.`, `./extension-api` and `./plugin-sdk` are the package's own entries. */
export const RELEASES = { '2026.5.12': read('../../../fixtures/sdk/exports-2026.5.12.json'), '2026.6.11': read('../../../fixtures/sdk/exports-2026.6.11.json') };
/** Names by subpath that our SDK promises. */
export const PROMISED = read('../exports.json');

const probe = (subpaths) => `const found = {};
for (const subpath of ${JSON.stringify(subpaths)}) {
  const specifier = subpath.startsWith('.') ? 'openclaw' + subpath.slice(1) : 'openclaw/plugin-sdk/' + subpath;
  try { found[subpath] = Object.keys(await import(specifier)).sort(); } catch (error) { found[subpath] = { error: String(error) }; }
}
export default (api) => api.logger.info(JSON.stringify(found));`;

/** Imports subpaths in a worker, as a plugin would: names by subpath, or `{error}`. */
export async function importInWorker(subpaths) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-subpaths-'));
  fs.writeFileSync(path.join(root, 'package.json'), '{"type":"module"}');
  fs.writeFileSync(path.join(root, 'index.js'), probe(subpaths));
  const host = new FakeHost();
  try {
    await host.hello;
    await host.load(root, 'index.js', { pluginId: 'probe' });
    const note = await host.waitForNote('log', ({ message }) => message.startsWith('{'));
    return JSON.parse(note.message);
  } finally {
    await host.stop();
    fs.rmSync(root, { recursive: true, force: true });
  }
}

/** The names that a subpath has in a release of the reference and not here. */
export function lacking(subpath, release = '2026.5.12') {
  const has = new Set(PROMISED[subpath] ?? []);
  return RELEASES[release][subpath].filter((name) => !has.has(name));
}
