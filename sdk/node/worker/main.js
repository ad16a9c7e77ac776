// The worker's entry: greets the host before anything else is loaded, then serves its requests.
// Everything that only a loaded plugin needs is imported on first use, so that the greeting is early.
import fs from 'node:fs';
import { enableCompileCache, registerHooks } from 'node:module';

const PROTOCOL = 'chela-worker';
const VERSION = '1.2';

/** Features that this worker offers beyond the base protocol. */
const FEATURES = ['hooks', 'adapters', 'streams', 'blocking', 'loose-linking', 'transpile', 'diag-notes'];

const hello = JSON.stringify({
  t: 'hello',
  protocol: process.env.CHELA_TEST_PROTOCOL ?? PROTOCOL,
  version: process.env.CHELA_TEST_PROTOCOL_VERSION ?? VERSION,
  features: FEATURES,
  pid: process.pid,
  runtime: { name: 'node', version: process.versions.node },
});
const greeting = Buffer.alloc(4 + Buffer.byteLength(hello));
greeting.writeUInt32BE(greeting.length - 4, 0);
greeting.write(hello, 4);
fs.writeSync(3, greeting);

if (process.env.CHELA_COMPILE_CACHE) enableCompileCache(process.env.CHELA_COMPILE_CACHE);

// The SDK's files are where their names say. Node would look at each part of each path and put it together again, several times for
// each import: enough for it to start its optimizing compiler, whose memory then stays.
const ROOT = new URL('../', import.meta.url).href;
registerHooks({
  resolve(specifier, context, nextResolve) {
    const own = specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.startsWith(ROOT);
    if (!own) return nextResolve(specifier, context);
    return { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true };
  },
});

const { serve } = await import('./serve.js');
serve();
