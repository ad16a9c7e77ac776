// The configuration of the gateway as this worker knows it.
import { isDeepStrictEqual } from 'node:util';
import { snapshot } from '../../worker/state.js';

let own;

/**
 * The configuration in use.
 * @returns {object}
 */
export const getRuntimeConfig = () => own?.config ?? snapshot.config;

/**
 * The same, `null` before there is one.
 * @returns {object | null}
 */
export const getRuntimeConfigSnapshot = () => getRuntimeConfig() ?? null;

/**
 * The configuration as it was written, when this process was given it.
 * @returns {object | null}
 */
export const getRuntimeConfigSourceSnapshot = () => own?.source ?? null;

/**
 * Puts a configuration in place of the gateway's, for this process (tests, commands).
 * @param {object} config
 * @param {object} [sourceConfig]
 * @returns {void}
 */
export const setRuntimeConfigSnapshot = (config, sourceConfig) => {
  own = { config, source: sourceConfig ?? null };
};

/**
 * Takes it back.
 * @returns {void}
 */
export const clearRuntimeConfigSnapshot = () => {
  own = undefined;
};

/**
 * Nothing is cached here: the gateway sends each change.
 * @returns {void}
 */
export const clearConfigCache = () => {};

/**
 * The configuration to use for a call: the resolved one, unless the caller brings another than it was made from.
 * @param {{inputConfig?: object, runtimeConfig?: object | null, runtimeSourceConfig?: object | null}} params
 * @returns {object | undefined}
 */
export function selectApplicableRuntimeConfig({ inputConfig, runtimeConfig, runtimeSourceConfig }) {
  if (!runtimeConfig) return inputConfig;
  if (!inputConfig || inputConfig === runtimeConfig || !runtimeSourceConfig) return runtimeConfig;
  return isDeepStrictEqual(inputConfig, runtimeSourceConfig) ? runtimeConfig : inputConfig;
}
