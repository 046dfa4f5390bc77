"""Combinators: methods made of methods. Each gives a `Composed`, which is itself a method."""

from .compete import compete as compete
from .composed import COMBINATORS as COMBINATORS
from .composed import Combinator as Combinator
from .composed import Composed as Composed
from .composed import combine as combine
from .composed import compose as compose
from .composed import configure as configure
from .composed import entry as entry
from .effort import effort_of as effort_of
from .effort import with_effort as with_effort
from .from_captum import captum_method as captum_method
from .from_captum import from_captum as from_captum
from .kept import Kept as Kept
from .kept import kept as kept
from .smooth import SMOOTH as SMOOTH
from .smooth import smooth as smooth
from .smooth import smooth_squared as smooth_squared
from .smooth import vargrad as vargrad
from .times_input import times_input as times_input
