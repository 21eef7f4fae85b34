/** What piscina's threads run. */
export default (n: number): number => n * n
