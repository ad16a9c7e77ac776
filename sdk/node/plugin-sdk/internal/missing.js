// Stand-ins for exports that this SDK does not carry.

/** Thrown when a plugin uses an export that this SDK does not carry. */
export class ChelaSdkMissingExportError extends Error {
  constructor(subpath, exportName) {
    super(`\`openclaw/plugin-sdk/${subpath}\` has no export \`${exportName}\` in this SDK`);
    this.name = 'ChelaSdkMissingExportError';
    this.code = 'CHELA_SDK_MISSING_EXPORT';
    this.subpath = subpath;
    this.exportName = exportName;
  }
}

/** Reads that must not fail: the language and its tools ask for them without using the value. */
const QUIET = new Set(['then', 'prototype', 'name', 'length', '__esModule', 'toJSON', 'constructor', 'caller', 'arguments']);

/** A value that may be imported, passed on and compared, but fails when called, constructed or read. */
export function missingExport(subpath, exportName) {
  const fail = () => {
    throw new ChelaSdkMissingExportError(subpath, exportName);
  };
  const target = function missing() {};
  return new Proxy(target, {
    apply: fail,
    construct: fail,
    set: fail,
    get(object, key) {
      if (typeof key === 'symbol') return key === Symbol.toPrimitive || key === Symbol.iterator ? fail : object[key];
      return QUIET.has(key) ? (key === 'toJSON' || key === 'then' ? undefined : object[key]) : fail();
    },
  });
}
