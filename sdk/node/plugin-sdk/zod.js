export * from '../vendor/zod.js';
export { success } from './internal/terminal.js';
