"""What ``make_stimuli.py`` makes pictures of: artworks, the words for them, and their scenes.

One line of ``ARTWORKS`` is an artwork: its source, its name there, then the words before and
after the category's own word, which is written ``_``: "small red _ with two wings". Sources:
``f3`` Fluent 3D, ``n`` Noto, ``v1`` the first Noto; our own are in ``stimuli_drawings.py``.
A last field may say: ``bottom=0.2`` cuts the lowest fifth away, ``text`` forbids mirroring, ``low``
puts the thing on the lower edge of the picture (heads and busts), ``cut`` at the side edge, where
the drawing itself is cut.
"""

ARTWORKS: dict[str, str] = {
    "aeroplane": """
        f3 airplane | blue and white _
        n airplane | grey _ with blue wings
        v1 airplane | blue _
        f3 airplane-arrival | white landing _ with blue wings | bottom=0.3
        n airplane-arrival | landing passenger _ | bottom=0.28
        v1 airplane-arrival | blue landing _ | bottom=0.3
        f3 airplane-departure | white _ taking off | bottom=0.3
        n airplane-departure | passenger _ taking off | bottom=0.28
        v1 airplane-departure | blue _ taking off | bottom=0.3
        f3 small-airplane | small red and white _
        n small-airplane | small turquoise _ with a propeller
        v1 small-airplane | small white and blue _
    """,
    "bicycle": """
        f3 bicycle | red _
        n bicycle | grey _
        v1 bicycle | orange _
        f3 person-biking | red _ with a rider in orange
        n person-biking | light green _ with a rider in orange
        v1 person-biking | blue _ with a rider in blue
        f3 woman-biking | red _ with a woman riding
        n woman-biking | light green _ with a woman in purple
        v1 woman-biking | grey _ with a woman in purple
    """,
    "bird": """
        f3 bird | plump red _
        n bird | small blue _
        v1 bird | blue singing _
        n black-bird | black _
        f3 eagle | flying eagle _ with brown wings
        n eagle | eagle _ that lands
        f3 owl | brown owl _ with large eyes
        n owl | tawny owl _
        f3 duck | duck _ with a green head
        n duck | brown duck _
        f3 parrot | red parrot _
        n parrot | green parrot _
        f3 penguin | purple penguin _
        v1 penguin | blue penguin _
        f3 rooster | proud rooster _
        n dove | white dove _ with a twig
        f3 swan | white swan _
        f3 flamingo | pink flamingo _
        f3 peacock | peacock _ with open feathers
        n goose | white goose _
        f3 turkey | fat turkey _
        f3 baby-chick | yellow chick _
        f3 hatching-chick | chick _ in its egg
        v1 chicken | white hen _
    """,
    "boat": """
        n sailboat | sailing _ with a striped sail
        v1 sailboat | yellow sailing _ with blue sails
        f3 sailboat | red and yellow sailing _ | bottom=0.2
        n canoe | brown canoe _ with a paddle
        n ferry | large blue ferry _
        v1 ferry | blue and white ferry _
        n motor-boat | white motor _
        v1 motor-boat | blue and white motor _
        n speedboat | yellow and red speed _
        v1 speedboat | orange speed _
        n passenger-ship | white and blue cruise _
        v1 passenger-ship | blue cruise _
        n ship | dark steam _ with three chimneys
        v1 ship | blue and yellow steam _
        n person-rowing-boat | orange rowing _ with a man
        v1 woman-rowing-boat | orange rowing _ with a woman
    """,
    "bottle": """
        f3 baby-bottle | pink baby _
        n baby-bottle | baby _ with a blue top
        v1 baby-bottle | blue baby _ with milk
        f3 bottle-with-popping-cork | green champagne _
        n bottle-with-popping-cork | champagne _ that pops open
        v1 bottle-with-popping-cork | dark green wine _
        f3 lotion-bottle | pink lotion _
        n lotion-bottle | turquoise soap _
        n sake | glass sake _ with a cup
    """,
    "bus": """
        f3 bus | orange and white _
        n bus | white and grey city _
        v1 bus | orange _ with large windows
        f3 oncoming-bus | yellow and grey _ seen from the front
        n oncoming-bus | white _ seen from the front
        v1 oncoming-bus | yellow _ seen from the front
        f3 trolleybus | green trolley _
        n trolleybus | green and white trolley _
        v1 trolleybus | blue trolley _
        f3 minibus | small white _
        n minibus | white and grey mini _
        v1 minibus | grey mini _
    """,
    "car": """
        f3 automobile | red family _
        n automobile | shiny red _
        v1 automobile | blue round _
        f3 oncoming-automobile | red _ seen from the front
        n oncoming-automobile | small red _ seen from the front
        v1 oncoming-automobile | orange _ seen from the front
        f3 taxi | yellow taxi _ | text
        n taxi | taxi _ with checks | text
        v1 oncoming-taxi | yellow taxi _ seen from the front | text
        f3 police-car | grey police _
        n police-car | black and white police _ | text
        v1 oncoming-police-car | police _ seen from the front | text
        f3 racing-car | red racing _
        n racing-car | old racing _
        v1 racing-car | orange racing _
        f3 sport-utility-vehicle | blue off-road _
        n sport-utility-vehicle | small blue off-road _
        v1 sport-utility-vehicle | orange off-road _
        f3 pickup-truck | red pickup _
        n pickup-truck | bright red pickup _
    """,
    "cat": """
        f3 cat | striped orange _
        n cat | yellow _ with stripes
        v1 cat | orange _ that sits
        f3 cat-face | face of a smiling _ | low
        n cat-face | face of a yellow _ | low
        v1 cat-face | face of an orange _ | low
        f3 black-cat | dark purple _
        n black-cat | black _
        n crying-cat | face of a sad _ | low
        f3 smiling-cat-with-heart-eyes | _ with hearts for eyes | low
    """,
    "chair": """
        f3 chair | dark red wooden _
        n chair | light wooden _
        f3 seat | light blue cabin _
        n seat | dark blue travel _
        v1 seat | blue travel _ with arm rests
    """,
    "cow": """
        f3 cow | black and white _
        n cow | spotted _
        v1 cow | spotted _ with a ring
        f3 cow-face | face of a friendly _ | low
        n cow-face | face of a brown and white _ | low
        v1 cow-face | face of a black and white _ | low
        f3 ox | brown ox _
        n ox | brown _ with large horns
        v1 ox | strong brown _
        f3 water-buffalo | dark grey buffalo _
        n water-buffalo | grey buffalo _ with curved horns
        v1 water-buffalo | blue-grey buffalo _
    """,
    "diningtable": "",
    "dog": """
        f3 dog | light brown _
        n dog | white _ with brown spots
        v1 dog | orange _ with a blue collar
        f3 dog-face | face of a happy _ | low
        n dog-face | face of a spotted _ | low
        v1 dog-face | face of an orange _ | low
        f3 guide-dog | guide _ with a harness
        n guide-dog | yellow guide _
        f3 poodle | grey poodle _
        n poodle | white poodle _
        v1 poodle | pink poodle _
        f3 service-dog | brown rescue _ with a vest
        n service-dog | shepherd _ on a lead
    """,
    "flower": """
        f3 blossom | white _ with a yellow heart
        n blossom | round orange _
        v1 blossom | pink _ with five petals
        f3 bouquet | bunch of pink _
        n bouquet | bunch of tulip _
        f3 cherry-blossom | pink cherry _
        n cherry-blossom | pale pink cherry _
        f3 hibiscus | pink hibiscus _
        v1 hibiscus | orange hibiscus _
        f3 hyacinth | purple hyacinth _
        f3 lotus | pink lotus _ on a leaf
        n lotus | pale lotus _
        f3 rose | red rose _
        n rose | dark red rose _
        v1 rose | orange rose _
        f3 sunflower | yellow sunflower _
        n sunflower | sunflower _ with a brown heart
        f3 tulip | pink tulip _
        v1 tulip | orange tulip _
        n wilted-flower | wilted red _
    """,
    "horse": """
        f3 horse | dark brown _
        n horse | galloping light brown _
        v1 horse | brown _ that trots
        f3 horse-face | head of a dark _ | low
        n horse-face | head of a light brown _ | low
        v1 horse-face | head of a brown _ | low
        f3 carousel-horse | wooden carousel _
        n carousel-horse | white carousel _
        v1 carousel-horse | pink carousel _
        f3 horse-racing | dark _ with a jockey
        n horse-racing | racing _ with a jockey
        v1 horse-racing | brown _ with a rider
    """,
    "motorbike": """
        f3 motorcycle | red _
        n motorcycle | heavy red and grey _
        v1 motorcycle | orange _
        f3 motor-scooter | red scooter _
        n motor-scooter | yellow scooter _
        v1 motor-scooter | blue scooter _
    """,
    "person": """
        f3 man-walking | _ in blue who walks
        n woman-walking-medium-skin-tone | _ in purple who walks
        f3 person-running-medium-dark | _ in orange who runs
        n person-running | running _ with brown hair
        v1 woman-running-dark-skin-tone | running _ with a ponytail
        f3 woman-dancing-medium | dancing _ in a red dress
        v1 man-dancing-light-skin-tone | dancing _ in a black suit
        f3 man-dancing-dark | dancing _ in a blue suit
        n man-standing | standing _ in a green shirt
        f3 woman-standing-medium-light | standing _ with a purple shirt
        n man-farmer-medium-dark-skin-tone | _ with a straw hat and fork | low
        f3 woman-cook-medium | _ dressed as a cook | low
        f3 man-astronaut-medium-dark | _ in a space suit | low
        n woman-scientist-light-skin-tone | _ with glasses and a flask | low text
        n man-firefighter-medium-skin-tone | _ with a red helmet | low
        f3 man-police-officer-light | _ in a police uniform | low
        n woman-health-worker-dark-skin-tone | _ who is a doctor | low
        f3 old-woman-medium-light | smiling old _ with grey hair | low
        n boy-medium-dark-skin-tone | young smiling _ | low
        f3 person-golfing-light | _ who plays golf
        n person-kneeling-medium-light-skin-tone | kneeling _ with fair hair
        v1 construction-worker-medium-skin-tone | _ with a yellow helmet | low
        v1 man-walking-medium-dark-skin-tone | _ in green who walks
        f3 woman-running-dark | _ in purple who runs
    """,
    "sheep": """
        f3 ewe | white _
        n ewe | woolly white _
        v1 ewe | white _ with a black face
        f3 ram | _ with curled horns
        n ram | white _ with brown horns
        v1 ram | grey _ with large horns
    """,
    "sofa": """
        f3 couch-and-lamp | blue _ below a yellow lamp
        n couch-and-lamp | light blue _ with a lamp
        v1 couch-and-lamp | yellow _ with a lamp
    """,
    "train": """
        f3 locomotive | red steam _
        n locomotive | old green steam _
        v1 locomotive | orange steam _
        f3 bullet-train | fast white _ | cut
        n bullet-train | white and blue fast _ | cut
        v1 bullet-train | fast _ with a round nose
        f3 train | _ seen from the front
        n train | blue and grey _
        v1 train | yellow _ seen from the front
        f3 light-rail | blue _ with a yellow line | cut
        n light-rail | grey city _ | cut
        f3 railway-car | green and yellow _ carriage
        n railway-car | yellow _ carriage
        v1 railway-car | orange _ carriage
        f3 tram-car | pink tram _
        n tram | yellow tram _
        f3 tram | pink tram _ seen from the front
        v1 tram-car | green tram _
    """,
    "tvmonitor": """
        f3 television | old grey _
        n television | old black _
        v1 television | yellow _ with an aerial
        f3 desktop-computer | flat _ with a blue picture
        n desktop-computer | black _ above a keyboard
        v1 desktop-computer | grey _ of a computer
    """,
}
PLURALS = {"bus": "buses", "sheep": "sheep", "person": "persons"}  # else with an s
AIR = ("sky", "clouds", "sunset sky", "night sky", "storm", "over mountains", "over city")
LAND = ("meadow", "hills", "wheat", "forest", "snow", "park", "mountains", "autumn", "sunset")
PASTURE = ("meadow", "hills", "farm", "snow", "mountains", "sunset", "forest", "autumn", "night")
ROADS = ("street", "night street", "rain", "highway", "bridge", "sunset", "snow", "park", "desert")
WATER = ("sea", "sunset sea", "night sea", "stormy sea", "tropical sea", "lake", "harbour", "river")
ROOMS = tuple(f"{wall} room" for wall in ("green", "blue", "yellow", "pink", "white", "grey"))
INDOORS = (*ROOMS, "evening room", "office", "terrace")
STUDIOS = tuple(f"{colour} studio" for colour in ("red", "yellow", "green", "blue", "pink", "grey"))
SCENES: dict[str, tuple[str, ...]] = {
    "aeroplane": (*AIR, "runway"),
    "bicycle": (*ROADS, "beach", "garden"),
    "bird": (*LAND, "garden", "beach"),
    "boat": WATER,
    "bottle": ("table top", "kitchen", "bar", "beach", "terrace", *STUDIOS),
    "bus": ROADS,
    "car": ROADS,
    "cat": ("garden", "snow", "autumn", "night", *INDOORS, "street", *STUDIOS),
    "chair": (*INDOORS, "kitchen", "garden", *STUDIOS),
    "cow": PASTURE,
    "diningtable": (*ROOMS, "kitchen", "evening room", "terrace", "garden"),
    "dog": (*LAND, "beach", "garden", "street", "white room", "blue room"),
    "flower": ("meadow", "garden", "hills", "park", "forest", "table top", *STUDIOS),
    "horse": (*PASTURE, "beach", "desert"),
    "motorbike": ROADS,
    "person": (*LAND, "beach", "street", "night street", "office", "white room", "blue studio"),
    "sheep": PASTURE,
    "sofa": (*INDOORS[:-1], *STUDIOS),
    "train": ("railway", "station", "snowy railway", "night railway", "bridge", "mountains"),
    "tvmonitor": (*INDOORS[:-1], *STUDIOS),
}
COUNTS = {  # how often one, two or three of a thing; (0.6, 0.25, 0.15) else
    "diningtable": (0.9, 0.1, 0),
    "sofa": (0.85, 0.15, 0),
    "tvmonitor": (0.8, 0.2, 0),
    "train": (0.8, 0.2, 0),
}
HEIGHTS = {  # of a thing alone, as a share of the picture; 0.6 else
    "aeroplane": 0.62,
    "bus": 0.56,
    "car": 0.5,
    "diningtable": 0.6,
    "motorbike": 0.52,
    "sofa": 0.5,
    "train": 0.62,
    "bottle": 0.66,
    "person": 0.7,
    "chair": 0.64,
    "flower": 0.62,
}
