export * from './memory-host-core.js';
