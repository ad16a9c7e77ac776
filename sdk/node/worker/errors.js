// Errors as they cross the lanes.

const MAX_CAUSES = 8;

/** Turns anything thrown into the wire form of an error. */
export function errorToWire(error, data, depth = 0) {
  if (!(error instanceof Error) && !(error && typeof error === 'object' && typeof error.message === 'string')) {
    return { name: 'Error', message: typeof error === 'string' ? error : describe(error), thrown: typeof error, ...(data ? { data } : {}) };
  }
  const wire = { name: String(error.name ?? 'Error'), message: String(error.message) };
  if (error.code !== undefined && error.code !== null) wire.code = String(error.code);
  if (typeof error.stack === 'string') wire.stack = error.stack;
  const extra = data ?? jsonOnly(error.data ?? error.details);
  if (extra !== undefined) wire.data = extra;
  if (error.cause !== undefined && depth < MAX_CAUSES) wire.cause = errorToWire(error.cause, undefined, depth + 1);
  return wire;
}

/** Builds an `Error` from its wire form; `name`, `code`, `data` and `cause` are kept. */
export function errorFromWire(wire) {
  const error = new Error(wire?.message ?? 'unknown error', wire?.cause ? { cause: errorFromWire(wire.cause) } : undefined);
  if (wire?.name) Object.defineProperty(error, 'name', { value: wire.name, configurable: true, writable: true });
  if (wire?.code !== undefined) error.code = wire.code;
  if (wire?.data !== undefined) error.data = wire.data;
  if (wire?.stack) error.remoteStack = wire.stack;
  return error;
}

function describe(value) {
  try {
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function jsonOnly(value) {
  if (value === undefined) return undefined;
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    return undefined;
  }
}
