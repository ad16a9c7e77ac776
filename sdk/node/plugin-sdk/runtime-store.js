export { createPluginRuntimeStore } from './internal/runtime-store.js';
