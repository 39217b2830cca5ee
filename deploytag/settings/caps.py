"""How much there may be of everything at once."""

from pydantic import Field, NonNegativeInt

from deploytag.settings.types import Quantity, SettingsModel


class Caps(SettingsModel):
    """The most there may be at once. A first push that would go beyond is refused before anything is made."""

    environments: int | None = Field(default=None, gt=0, description="environments of this project; null: any number")
    classes: dict[str, NonNegativeInt] = Field(
        default_factory=dict, description="environments by class, such as `{feature: 30}`; a class that is missing: any"
    )
    load_balancers: int | None = Field(
        default=None,
        gt=0,
        description="the load balancers of this project, each environment counted with its class's limit; null: any",
    )
    cpu: Quantity | None = Field(
        default=None,
        description="processors that this project's environments may take together, each counted with its class's "
        "limit, also asleep; null: any number",
    )
    memory: Quantity | None = Field(default=None, description="their memory, counted in the same way; null: any")
    pods: int | None = Field(default=None, gt=0, description="their pods, counted in the same way; null: any number")
    database_connections: int | None = Field(
        default=None,
        gt=0,
        description="what the database roles of all environments on the server may hold together; null: what the "
        "server has (max_connections without those it reserves)",
    )
