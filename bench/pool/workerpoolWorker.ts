/** The task of workerpool's threads. */
import { worker } from "workerpool"

worker({ square: (n: number): number => n * n })
