export { requireRuntimeConfig } from './internal/channel-config.js';
