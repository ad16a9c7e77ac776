// Versions of the host and of packages beside a module.
import { createRequire } from 'node:module';
import { normalizeOptionalString } from './strings.js';
import { VERSION } from './version.js';

/** What stands for a version that nobody knows. */
export const RUNTIME_SERVICE_VERSION_FALLBACK = 'unknown';
const PACKAGES = ['../package.json', '../../package.json', '../../../package.json', './package.json'];
const BUILDS = ['../build-info.json', '../../build-info.json', './build-info.json'];
const first = (...texts) => texts.map((text) => normalizeOptionalString(text)).find(Boolean);

function read(moduleUrl, files, fits) {
  let load;
  try {
    load = createRequire(moduleUrl);
  } catch {
    return null;
  }
  for (const file of files) {
    try {
      const found = load(file);
      const version = normalizeOptionalString(found.version);
      if (version && fits(found)) return version;
    } catch {
      // The next place.
    }
  }
  return null;
}

/** The version of the host's package around a module. @param {string} moduleUrl @returns {string | null} */
export const readVersionFromPackageJsonForModuleUrl = (moduleUrl) => read(moduleUrl, PACKAGES, ({ name }) => name === 'openclaw');
/** The version of a build around a module. @param {string} moduleUrl @returns {string | null} */
export const readVersionFromBuildInfoForModuleUrl = (moduleUrl) => read(moduleUrl, BUILDS, () => true);
/** @param {string} moduleUrl @returns {string | null} */
export const resolveVersionFromModuleUrl = (moduleUrl) => readVersionFromPackageJsonForModuleUrl(moduleUrl) || readVersionFromBuildInfoForModuleUrl(moduleUrl);
/** @param {{moduleUrl: string, injectedVersion?: string, bundledVersion?: string, fallback?: string}} params @returns {string} */
export const resolveBinaryVersion = ({ moduleUrl, injectedVersion, bundledVersion, fallback }) =>
  first(injectedVersion) || resolveVersionFromModuleUrl(moduleUrl) || first(bundledVersion) || fallback || '0.0.0';
/** A version that says something. @param {string} [version] @returns {string | undefined} */
export function resolveUsableRuntimeVersion(version) {
  const text = normalizeOptionalString(version);
  return text && text !== '0.0.0' ? text : undefined;
}
/** The version that services are told. @param {NodeJS.ProcessEnv} [env] @param {string} [fallback] @returns {string} */
export const resolveRuntimeServiceVersion = (env = process.env, fallback = RUNTIME_SERVICE_VERSION_FALLBACK) =>
  first(env.OPENCLAW_VERSION, VERSION, env.OPENCLAW_SERVICE_VERSION, env.npm_package_version) ?? fallback;
/** The version that plugins are measured against. @param {NodeJS.ProcessEnv} [env] @param {string} [fallback] @returns {string} */
export function resolveCompatibilityHostVersion(env = process.env, fallback = RUNTIME_SERVICE_VERSION_FALLBACK) {
  const two = env === process.env ? [VERSION, env.OPENCLAW_VERSION] : [env.OPENCLAW_VERSION, VERSION];
  return first(env.OPENCLAW_COMPATIBILITY_HOST_VERSION, ...two, env.OPENCLAW_SERVICE_VERSION, env.npm_package_version) ?? fallback;
}
