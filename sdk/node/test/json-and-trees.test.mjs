// JSON in files, directories by absolute path, and what lies below one.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import * as sdk from '../plugin-sdk/infra-runtime.js';
import { writeJsonFileSecure } from '../plugin-sdk/security-runtime.js';

const made = () => fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'chela-files-')));

test('JSON is written whole and read with an error that says what failed', async () => {
  const dir = made();
  const file = path.join(dir, 'a/b.json');
  await sdk.writeJson(file, { x: 1 }, { trailingNewline: true });
  assert.equal(fs.readFileSync(file, 'utf8'), '{\n  "x": 1\n}\n');
  assert.deepEqual([await sdk.readJson(file), sdk.readJsonSync(file), await sdk.readJsonIfExists(`${file}x`), await sdk.tryReadJson(`${file}x`)], [{ x: 1 }, { x: 1 }, null, null]);
  fs.writeFileSync(file, '{');
  await assert.rejects(() => sdk.readJson(file), { name: 'JsonFileReadError', reason: 'parse', filePath: file });
  assert.throws(() => sdk.readJsonSync(path.join(dir, 'none')), { reason: 'read' });
  writeJsonFileSecure(path.join(dir, 's.json'), [1]);
  assert.equal(fs.statSync(path.join(dir, 's.json')).mode & 0o777, 0o600);
});

test('a directory is made unless its way leads over a link', async () => {
  const dir = made();
  const target = path.join(dir, 'x/y');
  assert.deepEqual(await sdk.ensureAbsoluteDirectory(target), { ok: true, path: target });
  fs.symlinkSync(dir, path.join(dir, 'link'));
  assert.equal((await sdk.ensureAbsoluteDirectory(path.join(dir, 'link'))).ok, false);
  await assert.rejects(() => sdk.resolveAbsolutePathForWrite(path.join(dir, 'link/new')), { code: 'symlink' });
});

test('a walk tells files and directories with bounds', () => {
  const dir = made();
  fs.mkdirSync(path.join(dir, 'a/b'), { recursive: true });
  fs.writeFileSync(path.join(dir, 'a/b/c.txt'), '');
  fs.symlinkSync(path.join(dir, 'a'), path.join(dir, 'loop'));
  const shown = (options) => sdk.walkDirectorySync(dir, options).entries.map(({ relativePath, kind }) => `${relativePath}:${kind}`).sort();
  assert.deepEqual(shown(), ['a/b/c.txt:file', 'a/b:directory', 'a:directory']);
  assert.deepEqual(shown({ maxDepth: 1 }), ['a:directory']);
  assert.deepEqual(shown({ symlinks: 'include' }).at(-1), 'loop:symlink');
  assert.equal(sdk.walkDirectorySync(dir, { maxEntries: 1 }).truncated, true);
});
