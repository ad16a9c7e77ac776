export { acquireFileLock, withFileLock } from './internal/file-lock.js';
