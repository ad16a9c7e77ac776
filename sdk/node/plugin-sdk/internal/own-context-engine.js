// Context engines of older plugins, which registered them through the SDK.
import { ownPlugin } from './own-plugin.js';

/** Registers a context engine of this worker's plugin. @param {string} id @param {(ctx: any) => any} factory @returns {{ok: boolean}} */
export function registerContextEngine(id, factory) {
  ownPlugin('api.registerContextEngine').api.registerContextEngine(id, factory);
  return { ok: true };
}
