export { createTestPluginApi } from './internal/testing/plugin-api.js';
