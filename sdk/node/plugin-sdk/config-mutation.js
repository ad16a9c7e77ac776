export { logConfigUpdated, mutateConfigFile, replaceConfigFile, updateConfig } from './internal/config-mutation.js';
