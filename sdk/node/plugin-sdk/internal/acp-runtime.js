// Runtimes of the Agent Client Protocol that plugins offer to each other in one worker.
import { resolveGlobalMap } from './singletons.js';
import { normalizeOptionalLowercaseString } from './strings.js';

const CODES = new Set('ACP_BACKEND_MISSING ACP_BACKEND_UNAVAILABLE ACP_BACKEND_UNSUPPORTED_CONTROL ACP_DISPATCH_DISABLED ACP_INVALID_RUNTIME_OPTION ACP_SESSION_INIT_FAILED ACP_TURN_FAILED'.split(' '));

/** An error of a runtime, with a code. */
export class AcpRuntimeError extends Error {
  /** @param {string} code @param {string} message @param {{cause?: unknown}} [options] */
  constructor(code, message, options) {
    super(message);
    this.name = 'AcpRuntimeError';
    this.code = code;
    this.cause = options?.cause;
  }
}

/** Whether an error is a runtime's, whichever copy of the SDK made it. @param {unknown} value @returns {boolean} */
export const isAcpRuntimeError = (value) => value instanceof AcpRuntimeError || (value instanceof Error && CODES.has(value.code));

const runtimes = resolveGlobalMap(Symbol.for('chela.acpRuntimes'));
const idOf = (id) => normalizeOptionalLowercaseString(id) ?? '';

function healthy(backend) {
  try {
    return backend.healthy ? backend.healthy() : true;
  } catch {
    return false;
  }
}

/** Offers a runtime. @param {{id: string, runtime: object, healthy?: () => boolean}} backend */
export function registerAcpRuntimeBackend(backend) {
  const id = idOf(backend.id);
  if (!id) throw new Error('ACP runtime backend id is required');
  if (!backend.runtime) throw new Error(`ACP runtime backend "${id}" is missing runtime implementation`);
  runtimes.set(id, { ...backend, id });
}

/** Takes a runtime back. @param {string} id */
export const unregisterAcpRuntimeBackend = (id) => void runtimes.delete(idOf(id));

/** A runtime by its id; without one the first that works, else the first. @param {string} [id] @returns {any} `null` when there is none */
export function getAcpRuntimeBackend(id) {
  if (idOf(id)) return runtimes.get(idOf(id)) ?? null;
  const all = [...runtimes.values()];
  return all.find(healthy) ?? all[0] ?? null;
}

/** The same, but it must be there and work. @param {string} [id] @returns {any} */
export function requireAcpRuntimeBackend(id) {
  const backend = getAcpRuntimeBackend(id);
  if (!backend) throw new AcpRuntimeError('ACP_BACKEND_MISSING', 'no ACP runtime is registered; a plugin must bring one');
  if (!healthy(backend)) throw new AcpRuntimeError('ACP_BACKEND_UNAVAILABLE', 'the ACP runtime does not work at the moment');
  return backend;
}
