// Connects the protocol's methods to the code that does them; that code is imported on first use.
import { Peer } from './peer.js';
import { setPeer } from './state.js';

const EXIT_UNCAUGHT = 70;

/** Starts serving the host on descriptor 3. */
export function serve() {
  const peer = new Peer(3);
  setPeer(peer);
  lazyMethod(peer, 'load', () => import('./load.js'), 'load');
  lazyMethod(peer, 'unload', () => import('./load.js'), 'unload');
  lazyMethod(peer, 'call', () => import('./call.js'), 'call');
  lazyMethod(peer, 'hooks', () => import('./hooks.js'), 'runHooks');
  peer.methods.set('shutdown', (params) => shutdown(peer, params));
  peer.notes.set('runtimeEvent', (params) => import('./runtime/events.js').then((m) => m.deliver(params)));
  peer.onClose = () => process.exit(0);
  peer.onBye = () => process.exit(0);
  watchFaults(peer);
}

function lazyMethod(peer, name, importer, exportName) {
  let loading;
  peer.methods.set(name, (params, context) => {
    loading ??= importer().then((module) => {
      peer.methods.set(name, module[exportName]);
      return module[exportName];
    });
    return loading.then((run) => run(params, context));
  });
}

/** Waits for running calls for at most `graceMs`, answers, and leaves. */
async function shutdown(peer, { graceMs = 0 }) {
  const until = Date.now() + graceMs;
  while (peer.busy > 1 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
  setTimeout(() => process.exit(0), 20);
  return { ok: true };
}

/** Whether a handler that a plugin registered through the SDK takes care of a failure. */
function dealtWith(kind, error) {
  return [...(globalThis[Symbol.for('chela.faultHandlers')]?.[kind] ?? [])].some((handler) => handler(error) === true);
}

function watchFaults(peer) {
  process.on('unhandledRejection', (reason) => {
    if (dealtWith('rejection', reason)) return;
    void import('./faults.js').then((m) => peer.note('fault', m.describeFault('unhandledRejection', reason)));
  });
  process.on('uncaughtException', (error) => {
    if (dealtWith('exception', error)) return;
    const wire = { kind: 'uncaughtException', message: String(error?.message ?? error), stack: error?.stack };
    void import('./faults.js')
      .then((m) => m.describeFault('uncaughtException', error), () => wire)
      .then((fault) => peer.noteAndExit('fault', fault, EXIT_UNCAUGHT));
  });
}
