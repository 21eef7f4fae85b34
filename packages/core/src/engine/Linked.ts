/**
 * Doubly linked lists whose links stand in what they hold: joining at either end and leaving from anywhere are O(1).
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
export const addLast = <Node extends Linked<Node>>(list: List<Node>, node: Node): void => {
  node.previous = list.tail
  if (list.tail === undefined) list.head = node
  else list.tail.next = node
  list.tail = node
}

/** Joins at the head. */
export const addFirst = <Node extends Linked<Node>>(list: List<Node>, node: Node): void => {
  node.next = list.head
  if (list.head === undefined) list.tail = node
  else list.head.previous = node
  list.head = node
}

/** Leaves, from wherever it stands. */
export const remove = <Node extends Linked<Node>>(list: List<Node>, node: Node): void => {
  if (node.previous === undefined) list.head = node.next
  else node.previous.next = node.next
  if (node.next === undefined) list.tail = node.previous
  else node.next.previous = node.previous
  node.previous = undefined
  node.next = undefined
}
