// Values on the wire: JSON, and one-key `$` objects for what JSON cannot say.
import { types } from 'node:util';
import { errorFromWire, errorToWire } from './errors.js';

const MAX_DEPTH = 64;
const UNDEFINED = { $undefined: true };

/**
 * Encodes a value. `port` gives handles to what cannot be copied:
 * `exportFn(fn, self)`, `exportSignal(signal)`, `exportStream(iterable)`, and `ownerOf(fn)` for functions of the other side.
 * A value that is `undefined` as a whole encodes to `undefined`.
 */
export function encode(value, port) {
  return visit(value, port, new Set(), 0, undefined);
}

function visit(value, port, path, depth, self) {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : { $num: String(value) };
    case 'bigint':
      return { $bigint: String(value) };
    case 'function':
      return encodeFunction(value, port, self);
    case 'object':
      return value === null ? null : visitObject(value, port, path, depth);
    default:
      return undefined;
  }
}

function encodeFunction(fn, port, self) {
  const foreign = port.ownerOf(fn);
  if (foreign !== undefined) return { $ref: foreign };
  const out = { $fn: port.exportFn(fn, self) };
  if (fn.name) out.name = String(fn.name);
  if (types.isAsyncFunction(fn)) out.async = true;
  return out;
}

function visitObject(value, port, path, depth) {
  if (path.has(value) || depth >= MAX_DEPTH) return UNDEFINED;
  const special = encodeSpecial(value, port, path, depth);
  if (special !== null) return special;
  path.add(value);
  const out = Array.isArray(value) ? visitArray(value, port, path, depth) : visitMembers(value, port, path, depth);
  path.delete(value);
  return out;
}

function visitArray(list, port, path, depth) {
  const out = new Array(list.length);
  for (let i = 0; i < list.length; i++) {
    const item = visit(list[i], port, path, depth + 1, list);
    out[i] = item === undefined ? UNDEFINED : item;
  }
  return out;
}

/** Encodes an object that has a wire form of its own; `null` when it has none. */
function encodeSpecial(value, port, path, depth) {
  const proto = Object.getPrototypeOf(value);
  if (proto === Object.prototype || proto === Array.prototype || proto === null) {
    return typeof value[Symbol.asyncIterator] === 'function' ? { $stream: port.exportStream(value) } : null;
  }
  if (value instanceof Error || types.isNativeError(value)) return { $error: errorToWire(value) };
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? UNDEFINED : { $date: value.toISOString() };
  if (ArrayBuffer.isView(value)) return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  if (types.isAnyArrayBuffer(value)) return { $bytes: Buffer.from(value).toString('base64') };
  if (types.isMap(value)) {
    path.add(value);
    const rows = [...value].map((row) => visitArray(row, port, path, depth + 1));
    path.delete(value);
    return { $map: rows };
  }
  if (types.isSet(value)) {
    path.add(value);
    const rows = visitArray([...value], port, path, depth + 1);
    path.delete(value);
    return { $set: rows };
  }
  if (types.isRegExp(value)) return { $regexp: [value.source, value.flags] };
  if (types.isPromise(value) || value instanceof WeakMap || value instanceof WeakSet) return UNDEFINED;
  if (value instanceof AbortSignal) return port.exportSignal(value);
  if (typeof value[Symbol.asyncIterator] === 'function') return { $stream: port.exportStream(value) };
  if (typeof value.toJSON === 'function') {
    const json = value.toJSON();
    return json === value ? null : (visit(json, port, path, depth + 1, undefined) ?? UNDEFINED);
  }
  return null;
}

function visitMembers(value, port, path, depth) {
  const out = {};
  for (const key of Object.keys(value)) addMember(out, key, value[key], value, port, path, depth);
  const proto = Object.getPrototypeOf(value);
  if (proto !== Object.prototype && proto !== null) addInherited(out, value, proto, port, path, depth);
  const keys = Object.keys(out);
  return keys.length === 1 && keys[0].startsWith('$') ? { $obj: [[keys[0], out[keys[0]]]] } : out;
}

function addMember(out, key, member, self, port, path, depth) {
  const encoded = visit(member, port, path, depth + 1, self);
  if (encoded === undefined || encoded === UNDEFINED) return;
  if (key === '__proto__') Object.defineProperty(out, key, { value: encoded, enumerable: true, configurable: true, writable: true });
  else out[key] = encoded;
}

/** Adds the methods, and the getters with plain values, that an instance has from its classes. */
function addInherited(out, value, proto, port, path, depth) {
  for (let level = proto; level && level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const key of Object.getOwnPropertyNames(level)) {
      if (key === 'constructor' || Object.hasOwn(out, key)) continue;
      const slot = Object.getOwnPropertyDescriptor(level, key);
      if (typeof slot.value === 'function') addMember(out, key, slot.value, value, port, path, depth);
      else if (slot.get) addGetter(out, key, value, port, path, depth);
    }
  }
}

function addGetter(out, key, value, port, path, depth) {
  let member;
  try {
    member = value[key];
  } catch {
    return;
  }
  if (member === null || typeof member !== 'object') addMember(out, key, member, value, port, path, depth);
}

/**
 * Decodes a parsed value in place and returns it. `port` gives what handles stand for:
 * `importFn(row)`, `ownFn(n)`, `importSignal(row)`, `importStream(n)`.
 */
export function decode(value, port) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = decode(value[i], port);
    return value;
  }
  const keys = Object.keys(value);
  if (keys.length > 0 && keys[0].startsWith('$')) {
    const special = decodeSpecial(keys[0], value, port, keys.length);
    if (special !== value) return special;
  }
  for (const key of keys) value[key] = decode(value[key], port);
  return value;
}

/** What each tag must hold; anything else is data that only looks like one, such as a `$ref` of a JSON schema. */
const BODIES = {
  $fn: Number.isInteger, $signal: Number.isInteger, $ref: Number.isInteger, $stream: Number.isInteger, $undefined: (body) => body === true,
  $bytes: isText, $date: isText, $num: isText, $bigint: (body) => isText(body) && /^-?[0-9]+$/.test(body), $config: isText,
  $error: (body) => body !== null && typeof body === 'object', $map: isPairs, $obj: isPairs, $set: Array.isArray,
  $regexp: (body) => Array.isArray(body) && body.every(isText),
};

function isText(body) {
  return typeof body === 'string';
}

function isPairs(body) {
  return Array.isArray(body) && body.every((row) => Array.isArray(row) && row.length === 2);
}

function decodeSpecial(tag, value, port, count) {
  const body = value[tag];
  if (!BODIES[tag]?.(body)) return value;
  if (tag === '$fn') return port.importFn(value);
  if (tag === '$signal') return port.importSignal(value);
  if (count !== 1) return value;
  switch (tag) {
    case '$config':
      return port.configOf?.(body) ?? value;
    case '$ref':
      return port.ownFn(body);
    case '$stream':
      return port.importStream(body);
    case '$bytes':
      return Buffer.from(body, 'base64');
    case '$error':
      return errorFromWire(body);
    case '$date':
      return new Date(body);
    case '$map':
      return new Map(decode(body, port));
    case '$set':
      return new Set(decode(body, port));
    case '$bigint':
      return BigInt(body);
    case '$regexp':
      return new RegExp(body[0], body[1]);
    case '$undefined':
      return undefined;
    case '$num':
      return Number(body);
    case '$obj':
      return Object.fromEntries(decode(body, port));
    default:
      return value;
  }
}
