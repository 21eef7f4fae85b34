/** The task of piscina's threads. */
export default (n: number): number => n * n
