"""The kinds of measures, a file each. A new one is added to this list; messages name them in its order."""

from triggers.measures.kind import register
from triggers.measures.kinds.count import COUNT
from triggers.measures.kinds.did import DID
from triggers.measures.kinds.distinct import DISTINCT
from triggers.measures.kinds.first import FIRST
from triggers.measures.kinds.first_value import FIRST_VALUE
from triggers.measures.kinds.last import LAST
from triggers.measures.kinds.last_value import LAST_VALUE
from triggers.measures.kinds.max import MAX
from triggers.measures.kinds.min import MIN
from triggers.measures.kinds.sum import SUM
from triggers.measures.kinds.top import TOP

for kind in (COUNT, SUM, DISTINCT, DID, FIRST, LAST, MAX, MIN, FIRST_VALUE, LAST_VALUE, TOP):
    register(kind)
