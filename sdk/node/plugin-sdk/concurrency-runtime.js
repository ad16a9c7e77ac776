export { runTasksWithConcurrency } from './internal/async-tools.js';
