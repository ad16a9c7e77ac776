export * from './memory-core-host-runtime-files.js';
