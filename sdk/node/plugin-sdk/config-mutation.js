export { logConfigUpdated, mutateConfigFile, readConfigFileSnapshotForWrite, replaceConfigFile, updateConfig } from './internal/config-mutation.js';
