"""Which operations form the one part of a graph that the compiler maps, and which lie behind."""


def find_behind(ops, left):
    """Finds the operations that could be mapped but lie in a later subgraph than the first.

    The compiler is a TensorFlow Lite delegate: the graph is cut into alternating parts that the
    delegate takes and does not take, each as large as the order of the operations allows
    (PartitionGraphIntoIndependentNodeSubsets in tensorflow/lite/graph_info.cc); of those it takes
    the first is mapped. What stands on the CPU before it costs nothing else: a QUANTIZE of float
    input, or MoveNet's CAST. This gives all 59 operations left in MoveNet and all 8 in DeepLab.

    Args: ops, a graph's operations in the order in which they run; left, a set of the positions
        of those that run on the CPU by themselves.
    Returns: sorted list of positions.
    """
    made_by = {number: place for place, op in enumerate(ops) for number in op.output_numbers}
    waits_for = [{made_by[number] for number in op.input_numbers if number in made_by}
                 for op in ops]
    parts = [part for part in list_parts(waits_for, left) if not part & left]
    return sorted(place for part in parts[1:] for place in part)


def list_parts(waits_for, left):
    """Cuts a graph into parts that are all on the CPU or all not, in the order in which they run.

    Args: waits_for, the positions of the operations that each one needs first; left as above.
    Returns: list of sets of positions.
    """
    parts, done, waiting = [], set(), list(range(len(waits_for)))
    while waiting:
        part, on_cpu = set(), None
        for place in waiting:
            is_left = place in left
            if waits_for[place] <= done | part and on_cpu in (None, is_left):
                on_cpu = is_left
                part.add(place)
        if not part:  # a circle: no file that runs has one
            return [*parts, set(waiting)]
        done |= part
        waiting = [place for place in waiting if place not in part]
        parts.append(part)
    return parts
