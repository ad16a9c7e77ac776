export {};
export { createEnvPatchedAccountSetupAdapter } from './internal/setup-patches.js';
