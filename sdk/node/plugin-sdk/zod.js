export * from '../vendor/zod.js';
