// The worker's own files are found without Node's resolver.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../worker/main.js', import.meta.url));

/** Prints what reaches the resolver below the worker's own. */
const WATCH = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({ resolve(specifier, context, next) {
    if (context.parentURL?.startsWith('file:')) console.log('asked ' + specifier);
    return next(specifier, context);
  } });
`)}`;

test('no file of the worker is looked for', async () => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--import', WATCH, MAIN], {
    env: { CHELA_WORKER: '1' },
    stdio: ['ignore', 'pipe', 'inherit', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  const send = (frame) => {
    const text = JSON.stringify(frame);
    const bytes = Buffer.alloc(4 + Buffer.byteLength(text));
    bytes.writeUInt32BE(bytes.length - 4, 0);
    bytes.write(text, 4);
    child.stdio[3].write(bytes);
  };
  child.stdio[3].once('data', () => {
    send({ t: 'hello', protocol: 'chela-worker', version: '1.2', features: [] });
    // Imports what only a plugin needs.
    send({ t: 'req', id: 1, m: 'unload', p: { pluginId: 'nobody' } });
    send({ t: 'req', id: 2, m: 'shutdown', p: { graceMs: 2000 } });
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(code, 0);
  const asked = output.split('\n').filter(Boolean);
  assert.ok(asked.includes('asked node:module'), output);
  assert.deepEqual(asked.filter((line) => line.startsWith('asked .')), []);
});
