// Files below a root, secrets, temporary files and child processes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { readLocalFileFromRoots, root, writeFileWithinRoot } from '../plugin-sdk/file-access-runtime.js';
import { loadJsonFile, saveJsonFile } from '../plugin-sdk/json-store.js';
import { prepareOomScoreAdjustedSpawn, runCommandWithTimeout, runExec } from '../plugin-sdk/process-runtime.js';
import { runPluginCommandWithTimeout } from '../plugin-sdk/run-command.js';
import { loadSecretFileSync, tryReadSecretFileSync, writePrivateSecretFileAtomic } from '../plugin-sdk/secret-file-runtime.js';
import { appendRegularFile, readRegularFileSync, replaceFileAtomic } from '../plugin-sdk/security-runtime.js';
import { createTempDownloadTarget, tempWorkspaceSync, withTempWorkspace } from '../plugin-sdk/temp-path.js';
import { materializeWindowsSpawnProgram, resolveWindowsSpawnProgram } from '../plugin-sdk/windows-spawn.js';

function scratch(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'chela-sdk-files-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}
const mode = (file) => (fs.statSync(file).mode & 0o777).toString(8);

test('nothing leads out of a root', async (t) => {
  const dir = scratch(t);
  const inside = path.join(dir, 'in');
  fs.mkdirSync(inside);
  fs.writeFileSync(path.join(dir, 'secret'), 's');
  fs.symlinkSync(path.join(dir, 'secret'), path.join(inside, 'link'));
  fs.symlinkSync(dir, path.join(inside, 'up'));
  const scope = await root(inside);
  await scope.write('a/b.txt', 'one');
  assert.equal(await scope.readText('a/b.txt'), 'one');
  fs.linkSync(path.join(inside, 'a/b.txt'), path.join(inside, 'hard'));
  fs.symlinkSync('a/b.txt', path.join(inside, 'near'));
  const REFUSED = [['../secret', 'outside-workspace'], ['/etc/passwd', 'outside-workspace'], ['link', 'outside-workspace'], ['up/secret', 'outside-workspace'], ['near', 'symlink'], ['hard', 'hardlink'], ['none', 'not-found'], ['a', 'not-file'], ['x\0y', 'invalid-path']];
  for (const [name, code] of REFUSED) await assert.rejects(scope.read(name), { name: 'FsSafeError', code }, name);
  fs.rmSync(path.join(inside, 'hard'));
  for (const [name, code] of [['../new', 'outside-workspace'], ['up/new', 'outside-workspace'], ['link', 'outside-workspace']]) await assert.rejects(scope.write(name, 'x'), { code }, name);
  assert.equal(await scope.readText('near', { symlinks: 'follow-within-root' }), 'one');
  await assert.rejects(scope.read('a/b.txt', { maxBytes: 2 }), { code: 'too-large', category: 'policy' });
  await assert.rejects(scope.create('a/b.txt', 'two'), { code: 'already-exists' });
  await scope.append('a/b.txt', 'two', { prependNewlineIfNeeded: true });
  await scope.writeJson('c.json', { x: 1 });
  assert.deepEqual([await scope.readText('a/b.txt'), await scope.readJson('c.json'), await scope.list('.')], ['one\ntwo', { x: 1 }, ['a', 'c.json', 'link', 'near', 'up']]);
  await assert.rejects(scope.remove('a'), { code: 'not-empty' });
  await scope.move('c.json', 'd/c.json');
  await scope.remove('d/c.json');
  assert.equal(await scope.exists('c.json'), false);
  assert.equal(fs.readFileSync(path.join(dir, 'secret'), 'utf8'), 's');
  await writeFileWithinRoot({ rootDir: inside, relativePath: 'e.txt', data: 'E' });
  const found = await readLocalFileFromRoots({ filePath: path.join(inside, 'e.txt'), roots: [path.join(dir, 'missing'), inside] });
  assert.deepEqual([String(found.buffer), found.root], ['E', fs.realpathSync(inside)]);
  assert.equal(await readLocalFileFromRoots({ filePath: path.join(dir, 'secret'), roots: [inside] }), null);
  await assert.rejects(root(path.join(dir, 'missing')), { code: 'not-found' });
});

test('regular files are read, replaced and appended to, links are not', async (t) => {
  const dir = scratch(t);
  const file = path.join(dir, 'f');
  await replaceFileAtomic({ filePath: file, content: 'a', mode: 0o640 });
  await appendRegularFile({ filePath: file, content: 'b', mode: 0o600 });
  assert.deepEqual([String(readRegularFileSync({ filePath: file }).buffer), mode(file), fs.readdirSync(dir)], ['ab', '600', ['f']]);
  fs.symlinkSync(file, path.join(dir, 'l'));
  assert.throws(() => readRegularFileSync({ filePath: path.join(dir, 'l') }), /symlink/);
  await assert.rejects(appendRegularFile({ filePath: path.join(dir, 'l'), content: 'x' }), /symlink/);
  await assert.rejects(appendRegularFile({ filePath: file, content: 'xxx', maxFileBytes: 4 }), /exceed 4 bytes/);
  assert.throws(() => readRegularFileSync({ filePath: file, maxBytes: 1 }), /exceeds 1 bytes/);
});

test('secrets are private', async (t) => {
  const dir = scratch(t);
  const file = path.join(dir, 'keep', 'key');
  await writePrivateSecretFileAtomic({ rootDir: path.join(dir, 'keep'), filePath: file, content: ' s3cret \n' });
  assert.deepEqual([mode(file), mode(path.dirname(file)), tryReadSecretFileSync(file, 'K')], ['600', '700', 's3cret']);
  fs.symlinkSync(file, path.join(dir, 'link'));
  assert.equal(tryReadSecretFileSync(path.join(dir, 'link'), 'K'), 's3cret');
  assert.equal(tryReadSecretFileSync(path.join(dir, 'link'), 'K', { rejectSymlink: true }), undefined);
  fs.writeFileSync(path.join(dir, 'empty'), ' ');
  const messages = ['', 'empty', 'none', '.'].map((name) => loadSecretFileSync(name && path.join(dir, name), 'K').message.replaceAll(dir, 'D').split(': Error')[0]);
  assert.deepEqual(messages, ['K file path is empty.', 'K file at D/empty is empty.', 'Failed to inspect K file at D/none', 'K file at D must be a regular file.']);
  await assert.rejects(writePrivateSecretFileAtomic({ rootDir: path.join(dir, 'keep'), filePath: path.join(dir, 'out'), content: 'x' }), /must stay under/);
});

test('JSON files are read and written as a whole', (t) => {
  const file = path.join(scratch(t), 'deep/a.json');
  saveJsonFile(file, { a: 1 });
  assert.deepEqual([loadJsonFile(file), mode(file), fs.readFileSync(file, 'utf8')], [{ a: 1 }, '600', '{\n  "a": 1\n}\n']);
  fs.writeFileSync(file, '{');
  assert.equal(loadJsonFile(file), undefined);
});

test('temporary files go away', async (t) => {
  const rootDir = scratch(t);
  const workspace = tempWorkspaceSync({ rootDir, prefix: 'my work' });
  workspace.writeJson('a.json', [1]);
  assert.deepEqual([String(workspace.read('a.json')), mode(workspace.dir)], ['[\n  1\n]\n', '700']);
  assert.throws(() => workspace.write('../x', ''), /Invalid temp workspace file name/);
  workspace.cleanup();
  assert.equal(await withTempWorkspace({ rootDir, prefix: 'w' }, async (one) => (await one.writeText('t', 'x'), String(await one.read('t')))), 'x');
  const target = await createTempDownloadTarget({ prefix: 'd', fileName: 'a b.png', tmpDir: rootDir });
  assert.equal(path.basename(target.path), 'a-b.png');
  await target.cleanup();
  assert.deepEqual(fs.readdirSync(rootDir), []);
});

test('commands end in time', async () => {
  const node = process.execPath;
  const done = await runCommandWithTimeout([node, '-e', 'process.stdin.pipe(process.stdout); console.error(process.env.X)'], { timeoutMs: 20_000, input: 'in', env: { X: 'y' } });
  assert.deepEqual([done.code, done.stdout, done.stderr, done.termination], [0, 'in', 'y\n', 'exit']);
  assert.equal((await runCommandWithTimeout([node, '-e', 'setInterval(() => {}, 1e3)'], 50)).termination, 'timeout');
  assert.equal((await runCommandWithTimeout([node, '-e', 'setInterval(() => {}, 1e3)'], { timeoutMs: 20_000, noOutputTimeoutMs: 50 })).termination, 'no-output-timeout');
  assert.equal((await runExec(node, ['-e', 'console.log(1)'])).stdout, '1\n');
  await assert.rejects(runExec(node, ['-e', 'console.log(2); process.exit(3)']), { code: 3, stdout: '2\n' });
  assert.deepEqual(await runPluginCommandWithTimeout({ argv: [], timeoutMs: 1 }), { code: 1, stdout: '', stderr: 'command is required' });
  assert.match((await runPluginCommandWithTimeout({ argv: ['/nonexistent/x'], timeoutMs: 100 })).stderr, /ENOENT/);
  const wrapped = prepareOomScoreAdjustedSpawn(node, ['-p', '6*7'], { platform: 'linux', env: { ENV: '/bad' } });
  assert.deepEqual([(await runExec(wrapped.command, wrapped.args)).stdout, wrapped.env], ['42\n', {}]);
});

test('a shim of npm is replaced by its script', (t) => {
  const dir = scratch(t);
  fs.mkdirSync(path.join(dir, 'node_modules/x'), { recursive: true });
  fs.writeFileSync(path.join(dir, 'node_modules/x/cli.js'), '');
  fs.writeFileSync(path.join(dir, 'x.cmd'), '@ECHO off\r\n"%_prog%"  "%dp0%\\node_modules\\x\\cli.js" %*\r\n');
  fs.writeFileSync(path.join(dir, 'y.cmd'), '@ECHO off\r\n');
  const params = { platform: 'win32', env: { PATH: dir, PATHEXT: '.CMD' }, execPath: 'node.exe' };
  const program = resolveWindowsSpawnProgram({ ...params, command: 'x' });
  assert.deepEqual(materializeWindowsSpawnProgram(program, ['-v']), { command: 'node.exe', argv: [path.join(dir, 'node_modules/x/cli.js'), '-v'], resolution: 'node-entrypoint', shell: undefined, windowsHide: true });
  assert.throws(() => resolveWindowsSpawnProgram({ ...params, command: 'y' }), /without shell execution/);
  assert.equal(resolveWindowsSpawnProgram({ ...params, command: 'y', allowShellFallback: true }).shell, true);
});
