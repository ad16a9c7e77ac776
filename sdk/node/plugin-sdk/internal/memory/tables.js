// Names of the tables of a memory index, and reads that are tried again.
import { retryAsync } from '../retry.js';

export const MEMORY_EMBEDDING_CACHE_TABLE = 'memory_embedding_cache';
export const MEMORY_INDEX_CHUNKS_TABLE = 'memory_index_chunks';
export const MEMORY_INDEX_FTS_TABLE = 'memory_index_chunks_fts';
export const MEMORY_INDEX_META_TABLE = 'memory_index_meta';
export const MEMORY_INDEX_SOURCES_TABLE = 'memory_index_sources';
export const MEMORY_INDEX_STATE_TABLE = 'memory_index_state';
export const MEMORY_INDEX_VECTOR_TABLE = 'memory_index_chunks_vec';

/** Whether a read may succeed when it is tried again. @param {any} error @returns {boolean} */
export const isTransientMemoryReadError = (error) =>
  ['EAGAIN', 'EWOULDBLOCK', 'EDEADLK'].includes(error?.code) || error?.errno === -11 || (error instanceof Error && /Unknown system error -11\b/i.test(error.message));
/** Reads, three times at most. @template T @param {() => Promise<T>} read @param {string} [label] @returns {Promise<T>} */
export const retryTransientMemoryRead = (read, label = 'memory read') => retryAsync(read, { attempts: 3, minDelayMs: 25, maxDelayMs: 50, label, shouldRetry: isTransientMemoryReadError });
