from contracts.model import FamilyContract
from distml.models import linear


class TestLinear(FamilyContract):
    family = linear.FAMILY
