/** What workerpool's threads run. */
import { worker } from "workerpool"

worker({ square: (n: number): number => n * n })
