/**
 * Doubly linked lists whose links stand in what they hold: joining behind any node and leaving from anywhere are O(1).
 */

/** What can stand in one list at a time. */
export interface Linked<Node> {
  previous: Node | undefined
  next: Node | undefined
}

/** A list, from its head to its tail. */
export interface List<Node> {
  head: Node | undefined
  tail: Node | undefined
}

/** Joins at the tail. */
export const addLast = <Node extends Linked<Node>>(list: List<Node>, node: Node): void =>
  addAfter(list, list.tail, node)

/** Joins behind another node; behind none: at the head. */
export const addAfter = <Node extends Linked<Node>>(list: List<Node>, before: Node | undefined, node: Node): void => {
  const after = before === undefined ? list.head : before.next
  node.previous = before
  node.next = after
  if (before === undefined) list.head = node
  else before.next = node
  if (after === undefined) list.tail = node
  else after.previous = node
}

/** Joins at the head. */
export const addFirst = <Node extends Linked<Node>>(list: List<Node>, node: Node): void =>
  addAfter(list, undefined, node)

/** Leaves, from wherever it stands. */
export const remove = <Node extends Linked<Node>>(list: List<Node>, node: Node): void => {
  if (node.previous === undefined) list.head = node.next
  else node.previous.next = node.next
  if (node.next === undefined) list.tail = node.previous
  else node.next.previous = node.previous
  node.previous = undefined
  node.next = undefined
}
