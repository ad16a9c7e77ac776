export { readByteStreamWithLimit, readResponseWithLimit } from './internal/http-body.js';
