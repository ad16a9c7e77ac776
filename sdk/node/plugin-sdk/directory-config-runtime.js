export { createResolvedDirectoryEntriesLister } from './internal/directory.js';
