// Paths inside the reference's repository, and settings of its sandboxes, as tests write them.

export const BUNDLED_PLUGIN_ROOT_DIR = 'extensions';
export const BUNDLED_PLUGIN_PATH_PREFIX = `${BUNDLED_PLUGIN_ROOT_DIR}/`;
export const BUNDLED_PLUGIN_TEST_GLOB = `${BUNDLED_PLUGIN_PATH_PREFIX}**/*.test.ts`;

const at = (base, path) => `${base.replace(/\/$/, '')}/${path}`;
/** @param {string} id @returns {string} */
export const bundledPluginRoot = (id) => BUNDLED_PLUGIN_PATH_PREFIX + id;
/** @param {string} base @param {string} id @returns {string} */
export const bundledPluginRootAt = (base, id) => at(base, bundledPluginRoot(id));
/** @param {string} id @param {string} path @returns {string} */
export const bundledPluginFile = (id, path) => `${bundledPluginRoot(id)}/${path}`;
/** @param {string} base @param {string} id @param {string} path @returns {string} */
export const bundledPluginFileAt = (base, id, path) => at(base, bundledPluginFile(id, path));
/** @param {string} id @param {string} dir @returns {string} */
export const bundledPluginDirPrefix = (id, dir) => `${bundledPluginFile(id, dir.replace(/\/$/, ''))}/`;
/** @param {string} id @returns {string} */
export const bundledDistPluginRoot = (id) => `dist/${bundledPluginRoot(id)}`;
/** @param {string} base @param {string} id @returns {string} */
export const bundledDistPluginRootAt = (base, id) => at(base, bundledDistPluginRoot(id));
/** @param {string} id @param {string} path @returns {string} */
export const bundledDistPluginFile = (id, path) => `${bundledDistPluginRoot(id)}/${path}`;
/** @param {string} base @param {string} id @param {string} path @returns {string} */
export const bundledDistPluginFileAt = (base, id, path) => at(base, bundledDistPluginFile(id, path));
/** @param {string} base @param {string} id @returns {string} */
export const installedPluginRoot = bundledPluginRootAt;
/** @param {string} id @returns {string} */
export const repoInstallSpec = (id) => `./${bundledPluginRoot(id)}`;

/** @param {object} [overrides] */
export const createSandboxBrowserConfig = (overrides = {}) => ({
  enabled: false, image: 'openclaw-browser', containerPrefix: 'openclaw-browser-', network: 'bridge', cdpPort: 9222, vncPort: 5900, noVncPort: 6080,
  headless: true, enableNoVnc: false, allowHostControl: false, autoStart: false, autoStartTimeoutMs: 1000, ...overrides,
});
/** @param {object} [overrides] */
export const createSandboxPruneConfig = (overrides = {}) => ({ idleHours: 24, maxAgeDays: 7, ...overrides });
/** @param {string} workspaceRoot @param {object} [overrides] */
export const createSandboxSshConfig = (workspaceRoot, overrides = {}) => ({ command: 'ssh', workspaceRoot, strictHostKeyChecking: true, updateHostKeys: true, ...overrides });
/** @param {{overrides?: any, dockerOverrides?: object}} [params] */
export function createSandboxTestContext({ overrides = {}, dockerOverrides } = {}) {
  const { docker: own, ...rest } = overrides;
  const container = 'openclaw-sbx-test';
  const docker = {
    image: 'openclaw-sandbox:bookworm-slim', containerPrefix: 'openclaw-sbx-', network: 'none', user: '1000:1000', workdir: '/workspace', readOnlyRoot: false, tmpfs: [], capDrop: [],
    seccompProfile: '', apparmorProfile: '', setupCommand: '', binds: [], dns: [], extraHosts: [], pidsLimit: 0, ...own, ...dockerOverrides,
  };
  return {
    enabled: true, backendId: 'docker', sessionKey: 'sandbox:test', workspaceDir: '/tmp/workspace', agentWorkspaceDir: '/tmp/workspace', workspaceAccess: 'rw', runtimeId: container, runtimeLabel: container,
    containerName: container, containerWorkdir: '/workspace', tools: { allow: ['*'], deny: [] }, browserAllowHostControl: false, ...rest, docker,
  };
}

/** Checks that a new token was written into the configuration. @param {{generatedToken?: string, authToken?: string, persistedConfig?: any}} params */
export function expectGeneratedTokenPersistedToGatewayAuth({ generatedToken, authToken, persistedConfig }) {
  const auth = persistedConfig?.gateway?.auth;
  const wrong = !/^[0-9a-f]{48}$/.test(generatedToken ?? '') ? 'no token of 48 hexadecimal digits was made'
    : authToken !== generatedToken ? 'another token is in use'
      : auth?.mode !== 'token' || auth.token !== generatedToken ? 'it was not written to `gateway.auth`' : undefined;
  if (wrong) throw new Error(wrong);
}
