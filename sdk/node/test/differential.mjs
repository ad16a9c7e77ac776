// Calls pure helpers of the reference and of this SDK on generated inputs and compares the results.
// Run: CHELA_REFERENCE_DIR=<unpacked reference package with its dependencies> node --test test/differential.mjs
// CHELA_DIFFERENTIAL=<pattern> asks only functions whose `subpath: name` fits.
// The functions run in processes of their own, a few subpaths in each: a call that never ends costs its function alone.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test, { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FUNCTIONS } from './differential-rows.mjs';
import { BY_RELEASE } from './differential/by-release.mjs';
import { later } from './differential/kit.mjs';

const reference = process.env.CHELA_REFERENCE_DIR;
const present = reference && fs.existsSync(path.join(reference, 'dist/plugin-sdk'));
const skip = present ? false : 'CHELA_REFERENCE_DIR is not set: nothing to compare with';
const wanted = new RegExp(process.env.CHELA_DIFFERENTIAL ?? '');

/** How long one function may take, its module's import included, before its process is ended; in milliseconds. */
const PATIENCE = 120_000;
/** Subpaths that one process asks: they share the reference's modules, whose import takes most of the time. */
const SUBPATHS_AT_ONCE = 12;
const PROCESSES = Math.min(4, os.availableParallelism());

const tests = FUNCTIONS.map((row, id) => ({ ...row, id, title: `${row.subpath}: ${row.name}`, ...Promise.withResolvers() })).filter(({ title }) => wanted.test(title));
const home = present ? fs.mkdtempSync(path.join(os.tmpdir(), 'chela-differential-')) : undefined;
after(() => home && fs.rmSync(home, { recursive: true, force: true }));

/** The reference finds the facts of its providers in the manifests beside it; nobody's own settings take part. */
const environment = () => ({
  PATH: process.env.PATH, HOME: home, TMPDIR: os.tmpdir(), OPENCLAW_STATE_DIR: path.join(home, 'state'), CHELA_REFERENCE_DIR: reference,
  OPENCLAW_BUNDLED_PLUGINS_DIR: process.env.OPENCLAW_BUNDLED_PLUGINS_DIR ?? path.join(reference, 'dist/extensions'), NO_COLOR: '1', TZ: process.env.TZ ?? 'UTC',
});

/** Asks in one process until it is through, hangs or dies; gives what was not asked then. */
async function ask(group) {
  const left = new Map(group.map((row) => [row.id, row]));
  const child = spawn(process.execPath, [fileURLToPath(new URL('differential-run.mjs', import.meta.url)), ...left.keys()], { cwd: fileURLToPath(new URL('..', import.meta.url)), env: environment(), stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  let [current, said, timer, hangs] = [undefined, '', undefined, false];
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { hangs = true; child.kill('SIGKILL'); }, PATIENCE);
  };
  child.stderr.on('data', (data) => { said = `${said}${data}`.slice(-2000); });
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(`${signal ?? code}`)));
  watch();
  for await (const line of createInterface({ input: child.stdio[3] })) {
    watch();
    const { id, begins, ...result } = JSON.parse(line);
    current = begins ? id : undefined;
    if (begins) continue;
    left.get(id).resolve(result);
    left.delete(id);
  }
  clearTimeout(timer);
  const how = await ended;
  const stuck = left.get(current) ?? left.values().next().value;
  if (!stuck) return [];
  stuck.resolve({ differs: hangs ? `no end within ${PATIENCE / 1000} s` : `its process ended (${how}): ${said}` });
  left.delete(stuck.id);
  return [...left.values()];
}

/** Groups of subpaths, each asked by processes one after the other. */
function groups() {
  const subpaths = [...new Set(tests.map(({ subpath }) => subpath))].sort();
  const found = [];
  for (let at = 0; at < subpaths.length; at += SUBPATHS_AT_ONCE) {
    const some = subpaths.slice(at, at + SUBPATHS_AT_ONCE);
    found.push(some.flatMap((subpath) => tests.filter((row) => row.subpath === subpath)));
  }
  return found;
}

if (present) {
  const waiting = groups();
  for (let i = 0; i < PROCESSES; i++) {
    (async () => {
      for (let group = waiting.shift(); group; group = waiting.shift()) for (let rest = group; rest.length > 0;) rest = await ask(rest);
    })();
  }
}

test('the list of what differs by release names functions that are asked', () => {
  const titles = new Set(FUNCTIONS.map(({ subpath, name }) => `${subpath}: ${name}`));
  assert.deepEqual([...BY_RELEASE.keys()].filter((title) => !titles.has(title)), []);
});

for (const { title, promise } of tests) {
  test(title, { skip }, async (t) => {
    const { skip: why, differs, asked } = await promise;
    if (why) return t.skip(`the reference cannot be asked: ${why}`);
    const listed = later && BY_RELEASE.get(title);
    if (listed) {
      // A name may have several rows: one that differs is enough.
      const all = await Promise.all(tests.filter((row) => row.title === title).map((row) => row.promise));
      return void assert.ok(all.some((row) => row.differs), `answers alike by now; take \`${title}\` out of \`by-release.mjs\` (${listed})`);
    }
    assert.equal(differs, undefined);
    assert.ok(asked > 0);
  });
}
